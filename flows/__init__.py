"""One module per deployment, thin: parameters in, domain call, artifact and result out."""
