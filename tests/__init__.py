"""All tests, and what they share."""

import os

# Their matrices are small, and they stand side by side on the processors already: threads that multiply
# them would cost three times what they save. numpy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
