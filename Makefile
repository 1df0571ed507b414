# Each target does all of its own set-up: on a bare machine `make demo` is the first command to type.
# What the targets do is written in .ci/tasks.py. Everything they make goes to .cache/.

PYTHON ?= python3

help:
	@echo "make demo    set up everything, replay a year of flights on several threads"
	@echo "make test    set up everything, run all tests on every interpreter at hand"
	@echo "make sanitize  the tests with AddressSanitizer, UBSan and ThreadSanitizer in the runtime"
	@echo "make preempt  semantics, histories and a soak, with threads that lose their turn in the runtime"
	@echo "make soak    everything at once for an hour (SECONDS=3600) on each interpreter"
	@echo "make bench   set up everything, measure against plain code and one global lock"
	@echo "make lint    ruff, mypy --strict, clang-format"
	@echo "make format  ruff format and clang-format over all code"
	@echo "make clean   remove what the other targets made"

demo test sanitize preempt soak bench lint format:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "stmpy needs Python 3.11 or newer, and this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 …")'
	@SECONDS_OF_SOAK=$(or $(SECONDS),3600) $(PYTHON) .ci/tasks.py $@

clean:
	rm -rf .cache build .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help demo test sanitize preempt soak bench lint format clean
