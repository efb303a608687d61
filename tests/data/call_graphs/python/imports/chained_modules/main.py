import first

first.second.third.work()
