"""`python -m compiler` is `kcompile`."""

from compiler.cli.app import main

main()
