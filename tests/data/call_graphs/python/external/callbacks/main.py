import atexit
import signal
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from threading import Thread, Timer


class Job:
    def run(self):
        pass


def in_thread(job, other=None):
    job.run()


def in_timer(job):
    job.run()


def submitted(job, *, again=None):
    job.run()


def mapped(job):
    job.run()


def starmapped(job, number):
    job.run()


def applied(job):
    job.run()


def on_signal(number, frame):
    pass


def at_exit(job):
    job.run()


def main():
    thread = Thread(target=in_thread, args=(Job(),))
    thread.start()
    thread.join()
    timer = Timer(0, in_timer, [Job()])
    timer.start()
    timer.join()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(submitted, Job(), again=1)
        list(executor.map(mapped, [Job()]))
    with ThreadPool(1) as pool:
        pool.map(mapped, [Job()])
        pool.starmap(starmapped, [(Job(), 1)])
        pool.apply(applied, (Job(),))
    signal.signal(signal.SIGTERM, on_signal)
    atexit.register(at_exit, Job())


main()
