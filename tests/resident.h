// How much of a mapped file is in this process's memory.
#ifndef INK_TESTS_RESIDENT_H
#define INK_TESTS_RESIDENT_H

#include <stdio.h>
#include <string.h>

// KiB of the mappings of files whose path ends so; -1 where the system does not tell.
static inline long resident_kib(const char *ending) {
  FILE *file = fopen("/proc/self/smaps", "r");
  if (!file) return -1;
  char line[4400];
  long sum = 0, kib;
  int inside = 0;
  while (fgets(line, sizeof line, file)) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
      line[strcspn(line, "\n")] = 0;
      size_t n = strlen(line), m = strlen(ending);
      inside = n >= m && strcmp(line + n - m, ending) == 0;
    } else if (inside && sscanf(line, "Rss: %ld kB", &kib) == 1) {
      sum += kib;
    }
  }
  fclose(file);
  return sum;
}

#endif
