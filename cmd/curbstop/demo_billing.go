package main

import (
	"crypto/rand"

	"github.com/curbstop/curbstop/cmd/curbstop/service"
	"github.com/curbstop/curbstop/platforms/sim"
)

// customers are how many act by themselves in the demo: each of our own channels
// sees each errand once.
const customers = 12

// playBilling has the stand-in be the billing system, unless one is configured,
// and customers who pay and ask for its services.
func (o *outside) playBilling(c *service.Config) {
	o.options.Customers = customers
	if c.BillingURL != "" {
		return
	}
	o.options.BillingToken, o.options.BillingFaults = rand.Text(), 0.15
	c.BillingURL, c.BillingToken = sim.BillingURL(o.options.Listen), o.options.BillingToken
}
