"""The measurements behind the figures of the README and of docs/benchmarks.md.

bench        `make bench`: Radiotalk and what one would take instead, at four sizes
promises     each promise about speed, measured by itself
scale        choosing targets among millions of devices
desk         every admin page with a large send log
stop         Cancel, clicked at half of a large fan-out
screenshots  `make screenshots`: the pictures under docs/images

ours, worker, measuring   Radiotalk, started and measured from outside
peers                     what one would take instead
stub, fcm                 a faster FCM than the emulator, and its process
report                    makes docs/benchmarks.md and its plots
settings                  the tests' settings, and fcm-django on the same database
"""
