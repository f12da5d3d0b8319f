/*
 * libpq-int.h includes a header of this name, which Debian's libpq-dev does not bring along. Where the system has
 * getaddrinfo(), and here it has, that header does no more than this.
 */
#include <netdb.h>
#include <sys/socket.h>
