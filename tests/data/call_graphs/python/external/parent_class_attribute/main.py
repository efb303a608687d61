import threading


def job():
    pass


thread = threading.Thread(target=job)
thread.name
job()
