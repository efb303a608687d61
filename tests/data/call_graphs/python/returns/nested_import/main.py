from outer import give

give()()
