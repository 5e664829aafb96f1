"""Functions of arrays, compiled by numba: no names, strings, dates or prices come in here."""
