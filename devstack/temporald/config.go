package main

import (
	"net"
	"runtime"
	"strconv"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	"go.temporal.io/server/common/primitives"
)

const (
	// mainDatabase holds histories, timers and task queues.
	mainDatabase = "temporal"
	// visibilityDatabase holds what the workflow lists are searched by.
	visibilityDatabase = "temporal_visibility"
	// clusterName is recorded in the database at the first start and cannot change afterwards.
	clusterName = "active"
)

// serverConfig returns the configuration of the four services on two databases of one PostgreSQL.
func serverConfig(s settings) *config.Config {
	disabled := "disabled"
	c := &config.Config{
		Global: config.Global{
			Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: loopback},
		},
		Persistence: config.Persistence{
			DefaultStore:     mainDatabase,
			VisibilityStore:  visibilityDatabase,
			NumHistoryShards: int32(s.shards),
			DataStores: map[string]config.DataStore{
				mainDatabase:       {SQL: sqlConfig(s, mainDatabase, 20)},
				visibilityDatabase: {SQL: sqlConfig(s, visibilityDatabase, 10)},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address(s.frontendPort)},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): service(s.frontendPort),
			string(primitives.HistoryService):  service(s.historyPort),
			string(primitives.MatchingService): service(s.matchingPort),
			string(primitives.WorkerService):   service(s.workerPort),
		},
		// The server asks for the state of archival in two places and refuses to start when one is missing.
		Archival: config.Archival{
			History:    config.HistoryArchival{State: disabled},
			Visibility: config.VisibilityArchival{State: disabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: disabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: disabled},
		}},
		PublicClient: config.PublicClient{HostPort: address(s.frontendPort)},
	}
	if s.dynamicConfigFile != "" {
		c.DynamicConfigClient = &dynamicconfig.FileBasedClientConfig{
			Filepath:     s.dynamicConfigFile,
			PollInterval: 10 * time.Second,
		}
	}
	return c
}

// smallServer is the dynamic configuration where no file gives another. The server's defaults are for clusters: 512
// workers a queue on 20 connections miss their own deadlines of three seconds when thousands of timers fire at one
// moment, and what misses it is tried again later and later. These workers find a connection.
//
// Timers have the fewest, because each that fires makes work for all the others. With many, timers fire faster than
// workflows act on them, and the difference waits where it costs most: in the queue of one worker, which gives it back
// after a minute. With few, it waits as timers, which cost nothing.
func smallServer() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.TimerProcessorSchedulerWorkerCount.Key():      2 * runtime.GOMAXPROCS(0),
		dynamicconfig.TransferProcessorSchedulerWorkerCount.Key():   32,
		dynamicconfig.VisibilityProcessorSchedulerWorkerCount.Key(): 16,
	}
}

// sqlConfig returns how to reach one database. Each of the four services holds a pool of its own, so the number of
// connections that PostgreSQL sees is about four times maxConnections.
func sqlConfig(s settings, database string, maxConnections int) *config.SQL {
	return &config.SQL{
		PluginName:      postgresql.PluginNamePGX,
		ConnectProtocol: "tcp",
		ConnectAddr:     net.JoinHostPort(s.postgresHost, strconv.Itoa(s.postgresPort)),
		DatabaseName:    database,
		User:            s.postgresUser,
		Password:        s.postgresPassword,
		MaxConns:        maxConnections,
		MaxIdleConns:    maxConnections,
		MaxConnLifetime: time.Hour,
	}
}

// service returns the listener of one service. There is no membership port, because static hosts take the place of
// the gossip ring.
func service(port int) config.Service {
	return config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: loopback}}
}

// staticHosts says where each service listens, so that the services find each other without a gossip ring.
func staticHosts(s settings) map[primitives.ServiceName]static.Hosts {
	at := func(port int) static.Hosts {
		return static.Hosts{All: []string{address(port)}, Self: address(port)}
	}
	return map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: at(s.frontendPort),
		primitives.HistoryService:  at(s.historyPort),
		primitives.MatchingService: at(s.matchingPort),
		primitives.WorkerService:   at(s.workerPort),
	}
}
