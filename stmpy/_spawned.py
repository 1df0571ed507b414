"""In a process that multiprocessing spawned: the script that ``python -m stmpy run`` runs in its parent."""

from stmpy._run import run_spawned_script

run_spawned_script(globals())
