from middle import work

work()
