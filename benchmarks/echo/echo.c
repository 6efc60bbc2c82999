/* The physical limit of a UDP server on this machine: turn each packet round with the QR bit set.
 *
 * One thread, one socket, batches of recvmmsg and sendmmsg; it looks at nothing. Usage: echo PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, OCTETS = 2048, BUFFER_OCTETS = 4 * 1024 * 1024 };

static char packets[BATCH][OCTETS];
static struct sockaddr_in peers[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];

static void reset(int count)
{
    for (int i = 0; i < count; i++) {
        parts[i].iov_len = OCTETS;
        messages[i].msg_hdr.msg_namelen = sizeof peers[i];
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: echo PORT\n");
        return 2;
    }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    int size = BUFFER_OCTETS;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) != 0) {
        perror("echo");
        return 1;
    }
    for (int i = 0; i < BATCH; i++) {
        parts[i].iov_base = packets[i];
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &peers[i];
    }
    reset(BATCH);
    for (;;) {
        int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (count < 0) {
            continue;
        }
        for (int i = 0; i < count; i++) {
            parts[i].iov_len = messages[i].msg_len;
            packets[i][2] |= (char)0x80;
        }
        for (int sent = 0; sent < count;) {
            int done = sendmmsg(fd, messages + sent, (unsigned)(count - sent), 0);
            sent += done > 0 ? done : 1; /* a packet that cannot be sent is dropped */
        }
        reset(count);
    }
}
