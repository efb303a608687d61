import collections


def popleft():
    return 1


queue = collections.deque([1])
queue.popleft()
popleft()
