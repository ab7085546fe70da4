"""The formats of recordings, one module each, all of the same shape.

`duration(file)` returns how long the recording lasts, in seconds. It raises CutOff when the file
ends too early, InvalidAudio when it can tell its uploader what else is wrong, and for a file that
cannot be read anything at all, as parsers do: `programs.audio` makes a message of it.
"""
