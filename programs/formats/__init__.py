"""The formats of recordings, one module each, all of the same shape.

`duration(file)` returns how long the recording lasts, in seconds. It raises CutOff when the file
ends too early, and InvalidAudio when it can tell the uploader what else is wrong. For an unreadable
file it raises anything, as parsers do, and `programs.audio` turns that into a message.
"""
