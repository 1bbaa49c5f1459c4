"""A framework on pesos: launches tasks and tells how each ended.

usage: framework.py MASTER (command|executor) TASKS

Prints `registered ID`, a line `STATE TASK` for each status update, `message BYTES` for each
message of its executor, and `error TEXT`; ends when every task has ended and, as messages may be
slower than updates, its executor's message is there.
"""

import getpass
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compat  # noqa: F401,E402

from mesos.interface import Scheduler  # noqa: E402
from pesos.scheduler import PesosSchedulerDriver  # noqa: E402
from pesos.vendor.mesos import mesos_pb2  # noqa: E402

ENDED = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR")
RESOURCES = (("cpus", 0.1), ("mem", 32))


def say(*words):
    print(*words, flush=True)


def demand(resources):
    for name, value in RESOURCES:
        resource = resources.add()
        resource.name = name
        resource.type = mesos_pb2.Value.SCALAR
        resource.scalar.value = value


class Launcher(Scheduler):
    def __init__(self, mode, count):
        self.mode = mode
        self.waiting = ["task-%d" % number for number in range(count)]
        self.running = set(self.waiting)
        self.silent = count if mode == "executor" else 0
        self.over = threading.Event()

    def registered(self, driver, framework_id, master_info):
        say("registered", framework_id.value)

    def resourceOffers(self, driver, offers):
        for offer in offers:
            room = min(self.fits(offer, "cpus", 0.2), self.fits(offer, "mem", 64))
            tasks = [self.task(name, offer) for name in self.waiting[:room]]
            del self.waiting[:room]
            if tasks:
                driver.launchTasks([offer.id.value], tasks)
            else:
                driver.declineOffer(offer.id.value, mesos_pb2.Filters())

    @staticmethod
    def fits(offer, name, each):
        offered = sum(r.scalar.value for r in offer.resources if r.name == name)
        return int(offered / each)

    def task(self, name, offer):
        task = mesos_pb2.TaskInfo()
        task.name = name
        task.task_id.value = name
        task.slave_id.value = offer.slave_id.value
        demand(task.resources)
        if self.mode == "command":
            task.command.value = "echo hello world"
        else:
            executor = os.path.join(os.path.dirname(os.path.abspath(__file__)), "executor.py")
            task.executor.executor_id.value = "pesos-executor"
            task.executor.command.value = "%s %s" % (sys.executable, executor)
            demand(task.executor.resources)
            task.data = name.encode()
        return task

    def statusUpdate(self, driver, status):
        state = mesos_pb2.TaskState.Name(status.state)
        say(state, status.task_id.value)
        if state in ENDED:
            self.running.discard(status.task_id.value)
        self.end_if_over()

    def frameworkMessage(self, driver, executor_id, slave_id, message):
        say("message", message)
        self.silent -= 1
        self.end_if_over()

    def end_if_over(self):
        if not self.running and not self.silent:
            self.over.set()

    def error(self, driver, message):
        say("error", message)
        self.over.set()


def main():
    master, mode, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    framework = mesos_pb2.FrameworkInfo()
    framework.user = getpass.getuser()
    framework.name = "pesos"
    launcher = Launcher(mode, count)
    driver = PesosSchedulerDriver(launcher, framework, master)
    driver.start()
    launcher.over.wait()
    driver.stop()
    # The driver's threads outlive it.
    os._exit(0)


main()
