# Managed by Flightline, role cuda; edits are lost.
case ":$PATH:" in
*:/usr/local/cuda/bin:*) ;;
*) PATH=/usr/local/cuda/bin:$PATH ;;
esac
CUDA_HOME=/usr/local/cuda
export PATH CUDA_HOME
