"""Where the configuration is that commands read, unless they are told another."""

DEFAULT_CONF = "/etc/bind/named.conf"
NO_CONF = "name your configuration with -c FILE; examples/named.conf in the sources is one to begin with"
"""What to do where there is none."""
