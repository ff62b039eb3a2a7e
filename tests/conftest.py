"""What every test needs of the process it runs in, whatever machine that is on."""

import os

from hypothesis import settings

# urllib, httpx and pointsman read these; a proxy of the developer's would take the calls to our loopback servers.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]

# An example's time says nothing on a loaded machine; what must be fast is measured in `benches`.
settings.register_profile("pointsman", deadline=None)
settings.load_profile("pointsman")
