"""Native libraries read foreign files in a process of its own that can do nothing else.

What they are fed with may take over the process that they run in: it can open no file and no connection,
start no process, write nothing but its answer, and has little memory and time.
"""
