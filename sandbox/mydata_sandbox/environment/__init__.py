"""A sandbox in a folder: files, certificates, sockets, and the relay as a child process."""
