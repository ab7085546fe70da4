"""Who is answered what at every address of the site: asked really, and held in docs/access.md.

`endpoints` walks the URLconf, `people` asks, `world` is what they ask about, and `page` has the
tables. `python -m radiotalk.tests.access` writes them anew.
"""
