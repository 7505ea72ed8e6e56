// Clocks.
#include "base/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double ink_clock_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double ink_clock_since_start(void) {
  FILE *file = fopen("/proc/self/stat", "re");
  if (!file) return 0;
  char line[1024];
  size_t size = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[size] = 0;
  // Field 22 (proc(5)) counts from field 3, the first after the parenthesised name.
  char *at = strrchr(line, ')');
  for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
  if (!at) return 0;
  double started = (double)strtoull(at, NULL, 10) / (double)sysconf(_SC_CLK_TCK);
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9 - started;
}

void ink_clock_utc(char out[24]) {
  const char *fixed = getenv("SOURCE_DATE_EPOCH");
  time_t now = fixed && fixed[0] ? (time_t)strtoll(fixed, NULL, 10) : time(NULL);
  struct tm parts;
  gmtime_r(&now, &parts);
  strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
