"""The command line. Results go to standard output, progress and logs to standard error.

Exit codes: 0 done, 1 the job failed or a check did not hold, 2 wrong use.
"""
