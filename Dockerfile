# docker build -t penviz .                                       the app, CPU wheels of torch
# docker build -t penviz --build-arg INDEX="" .                  the default index: CUDA wheels
# docker run --rm -p 8501:8501 penviz                            then http://localhost:8501
# docker run --rm -p 8501:8501 -v "$PWD/runs:/runs" -e PENVIZ_RUNS=/runs penviz      runs of your own
FROM python:3.12-slim

ARG INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 NUMBA_CACHE_DIR=/tmp/numba
WORKDIR /app

# The same lines as the Makefile's; dependencies stand before the source, so that a changed source reuses them.
RUN python -m pip install ${INDEX:+--index-url $INDEX} "torch>=2.10" "torchvision>=0.25"
COPY pyproject.toml README.md LICENSE ./
RUN mkdir penviz && touch penviz/__init__.py && python -m pip install -e .

COPY . .
RUN useradd --create-home penviz
USER penviz

EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.port", "8501", "--server.address", "0.0.0.0"]
