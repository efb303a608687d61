from pack import work

work()
