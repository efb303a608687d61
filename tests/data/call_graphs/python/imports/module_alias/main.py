import helper as assistant

assistant.work()
