from top import Thing

Thing().use()
