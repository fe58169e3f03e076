# syntax=docker/dockerfile:1
# Not built where this was written: no registry of images can be reached there. A test sees that it copies what is there and
# types what the Makefile types.
#
#     docker build --build-arg LOCK=run --tag usaid .       # LOCK=extras: CBM3D and all else, some of it not free
#     docker run --rm --volume "$PWD:/work" usaid usaid run all_tables --experiment smoke
#
# With GPUs: docker run --gpus all. The packages bring CUDA; the host needs its driver only.
FROM python:3.11-slim-bookworm
ARG LOCK=run

# libgl1, libglib2.0-0: what OpenCV needs, which pyiqa and ultralytics of extras.lock import.
RUN if [ "$LOCK" != run ]; then \
        apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*; \
    fi

WORKDIR /usaid
COPY envs/${LOCK}.lock envs/
RUN python -m pip install --quiet --no-cache-dir --require-hashes -r envs/${LOCK}.lock
COPY . .
RUN python -m pip install --quiet --no-cache-dir --no-deps --no-build-isolation --editable .

WORKDIR /work
CMD ["usaid", "--help"]
