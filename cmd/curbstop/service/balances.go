package service

import (
	"context"
	"errors"

	"github.com/curbstop/curbstop/billing"
	"github.com/curbstop/curbstop/billing/rest"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/property"
)

// balances answers what the property register asks before a sale.
type balances struct{ system *rest.Client }

// Balance implements [property.Balances]. Billing tells what is owed and what is
// prepaid; what was charged and paid before is none of the register's business.
func (b balances) Balance(ctx context.Context, utility casework.Utility, account string) (property.Balance, error) {
	a, err := b.system.Account(ctx, account)
	switch {
	case errors.Is(err, billing.ErrNotFound), err == nil && a.Utility != string(utility):
		return property.Balance{}, casework.Refuse(casework.NotFound, "no_such_account", casework.Say("没有这个户号", "there is no such account"))
	case err != nil:
		return property.Balance{}, casework.Refuse(casework.Unavailable, "billing_unavailable", casework.Say("暂不能查询费用，请稍后重试", "balances can't be asked for now; try again shortly"))
	}
	return property.Balance{
		Holder: a.Holder.Name, Address: a.Address, Owed: a.Balance.Owed, Receivable: a.Balance.Owed, Prepaid: a.Balance.Credit,
	}, nil
}
