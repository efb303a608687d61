import helper

module = helper
module.work()
