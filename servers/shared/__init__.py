"""A server that commands of one folder share: started by the first, ended after the last."""
