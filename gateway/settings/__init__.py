"""Settings: one frozen value, read once at boot from one TOML file and the environment.

A file per concern holds a frozen struct: the field's ``#:`` comment is its meaning, its type carries the
range, its default is the working default.  :mod:`gateway.settings.load` builds
:class:`gateway.settings.settings.Settings` of them and reports every problem at once; ``config/example.env``
is written from the same comments.

Nothing else reads the environment: what a component needs, it is handed.
"""
