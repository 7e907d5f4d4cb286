"""`python -m flows.job ENTRYPOINT`: Prefect's flow engine, for one short run in its own process.

The same as `python -m prefect.flow_engine ENTRYPOINT`, with the garbage collector off: a tenth of
the CPU time of importing Prefect goes into looking for garbage where there is none, and what the
process leaves behind at its end the kernel takes back.
"""

import gc
import runpy

if __name__ == "__main__":
    gc.disable()
    runpy.run_module("prefect.flow_engine", run_name="__main__", alter_sys=True)
