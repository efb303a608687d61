curry = lambda left: lambda right: left + right
curry(1)(2)
