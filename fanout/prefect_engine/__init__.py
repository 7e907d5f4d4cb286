"""What this project needs of Prefect and Prefect does not document: here, and nowhere else.

Each module says what it relies on, and `tests/fanout/test_prefect_engine.py` fails when a version
of Prefect changes it.

| module | relies on |
| --- | --- |
| `bulk` | routes without a client method; how the server answers them, item by item |
| `context` | the context in which the engine executes a flow |
| `deployments` | how a flow is loaded and its parameters become the UI's form |
| `execution` | the flow engine called with a run that exists; its threads for logs and events |
| `inline` | which requests the engine makes for a run, and where it finds its client |
| `job_process` | the engine as a program, and the variables with which a worker starts it |
"""
