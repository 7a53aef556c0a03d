/* Preloaded into pcscd. vpcd would listen on all addresses, and tests stay on loopback. pcscd looks for cards every
 * 400 ms; with MYKEY_POLL_MS it looks that often, since most tests wait for it twice and are about something else. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static const long looks_ns = 400 * 1000 * 1000L;

int bind(int socket, const struct sockaddr *address, socklen_t size) {
    int (*libc)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
    struct sockaddr_in loopback;
    if (address->sa_family == AF_INET) {
        loopback = *(const struct sockaddr_in *)address;
        loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address = (const struct sockaddr *)&loopback;
    }
    return libc(socket, address, size);
}

int nanosleep(const struct timespec *wanted, struct timespec *left) {
    int (*libc)(const struct timespec *, struct timespec *) = dlsym(RTLD_NEXT, "nanosleep");
    const char *poll_ms = getenv("MYKEY_POLL_MS");
    struct timespec shorter = {0, 0};
    if (poll_ms != NULL && wanted->tv_sec == 0 && wanted->tv_nsec == looks_ns) {
        shorter.tv_nsec = atol(poll_ms) * 1000 * 1000L;
        wanted = &shorter;
    }
    return libc(wanted, left);
}
