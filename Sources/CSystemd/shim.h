#pragma once
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

static inline int bailiwick_listen_fds_start(void) { return SD_LISTEN_FDS_START; }
