def job():
    pass


queue = [job]
while queue:
    queue.pop()()
