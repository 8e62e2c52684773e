/* Preloaded into a process: its writes to a store fail while the test says so by a file in $LATCHBOOK_DISK_FAULTS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Whether the fault is on, and `fd` is the store's file or its log. */
static int failing(const char *fault, int fd) {
    const char *folder = getenv("LATCHBOOK_DISK_FAULTS");
    char path[PATH_MAX], link[64];
    if (folder == NULL || snprintf(path, sizeof path, "%s/%s", folder, fault) >= (int)sizeof path) return 0;
    if (access(path, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, "auth.db") != NULL && strstr(path, "-shm") == NULL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length) {
    if (failing("full", fd)) { errno = ENOSPC; return -1; }
    return REAL(write)(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    if (failing("full", fd)) { errno = ENOSPC; return -1; }
    return REAL(pwrite)(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    if (failing("full", fd)) { errno = ENOSPC; return -1; }
    return REAL(pwrite64)(fd, bytes, length, at);
}

int fsync(int fd) {
    if (failing("eio", fd)) { errno = EIO; return -1; }
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    if (failing("eio", fd)) { errno = EIO; return -1; }
    return REAL(fdatasync)(fd);
}
