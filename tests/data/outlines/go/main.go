// Package main sells.
package main

import (
	"fmt"

	door "example.com/shop/v2/sub"
)

// Shop has doors.
⟨Class Shop¦type Shop struct {
	⟨Attribute Name¦⟨Attribute Open¦Name, Open string⟩⟩
	*door.Door
}⟩

type (
	⟨Class Seller¦Seller interface {
		⟨Function Sell¦Sell(what string) error⟩
	}⟩
	⟨Class ID¦ID = int⟩
)

⟨Attribute limit¦const limit = 3⟩

/* Sell sells. */
⟨Function Shop.Sell¦func (s *Shop) Sell(what string) error {
	s.check()
	door.Close()
	fmt.Println()
	other()
	s.Door.Close()
	return nil
}⟩

⟨Function Shop.check¦func (s Shop) check() {}⟩

⟨Function Pair.Key¦func (Pair[K]) Key() (check func()) { check(); return check }⟩
