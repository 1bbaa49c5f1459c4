"""An executor on pesos: for each task a message with the task's data, then TASK_FINISHED."""

import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compat  # noqa: F401,E402

from mesos.interface import Executor  # noqa: E402
from pesos.executor import PesosExecutorDriver  # noqa: E402
from pesos.vendor.mesos import mesos_pb2  # noqa: E402


class Finisher(Executor):
    def __init__(self):
        self.over = threading.Event()

    def launchTask(self, driver, task):
        self.update(driver, task, mesos_pb2.TASK_RUNNING)
        driver.sendFrameworkMessage(task.data)
        self.update(driver, task, mesos_pb2.TASK_FINISHED)

    @staticmethod
    def update(driver, task, state):
        status = mesos_pb2.TaskStatus()
        status.task_id.value = task.task_id.value
        status.state = state
        driver.sendStatusUpdate(status)

    def shutdown(self, driver):
        self.over.set()


executor = Finisher()
PesosExecutorDriver(executor).start()
executor.over.wait()
os._exit(0)
