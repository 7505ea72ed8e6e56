// Runs a fuzz target over files and folders of files without libFuzzer, as a test: what once broke
// a parser is tried in every run.  usage: replay FILE|FOLDER...
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int n_run;

static bool run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  size_t size = 0, room = 1 << 16;
  unsigned char *bytes = malloc(room);
  while (bytes) {
    size_t got = fread(bytes + size, 1, room - size, file);
    size += got;
    if (got == 0 || size < room) break;
    unsigned char *grown = realloc(bytes, room *= 2);
    if (!grown) free(bytes);
    bytes = grown;
  }
  fclose(file);
  // A copy of exactly this size, so that a sanitizer sees the first byte read beyond it.
  unsigned char *exact = malloc(size ? size : 1);
  if (bytes && exact) memcpy(exact, bytes, size);
  free(bytes);
  if (!exact) return false;
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
  printf("ok %d - %s\n", ++n_run, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
  fflush(stdout);
  return true;
}

static bool run_folder(const char *path) {
  struct dirent **items = NULL;
  int n = scandir(path, &items, NULL, alphasort);
  bool fine = n >= 0;
  for (int i = 0; i < n; i++) {
    char full[4096];
    if (items[i]->d_name[0] != '.') {
      snprintf(full, sizeof full, "%s/%s", path, items[i]->d_name);
      fine = run_file(full) && fine;
    }
    free(items[i]);
  }
  free(items);
  return fine;
}

int main(int argc, char **argv) {
  bool fine = true;
  for (int i = 1; i < argc; i++) {
    struct stat info;
    if (stat(argv[i], &info) != 0) {
      fprintf(stderr, "replay: %s is not there\n", argv[i]);
      fine = false;
    } else {
      fine = (S_ISDIR(info.st_mode) ? run_folder(argv[i]) : run_file(argv[i])) && fine;
    }
  }
  if (n_run == 0) {
    printf("not ok 1 - no inputs\n");
    n_run = 1;
    fine = false;
  }
  printf("1..%d\n", n_run);
  return fine ? 0 : 1;
}
