// inkstone version: what this build is and which kernels it uses here.
#include <stdio.h>

#include "cli/cli.h"
#include "tensor/isa.h"

static int run(const ink_command *self, int argc, char **argv) {
  ink_error error = ink_cli_error();
  int n;
  bool done;
  ink_status status = ink_options_read(self, NULL, 0, argc, argv, &n, &done, &error);
  if (status == INK_OK && done) return INK_EXIT_DONE;
  if (status == INK_OK && n > 0) {
    status =
        ink_fail(&error, INK_ERR_USAGE, "version takes no argument, but \"%s\" was given", argv[1]);
  }
  if (status != INK_OK) return ink_cli_fail(self, &error);
  const ink_cpu *cpu = ink_cpu_about();
  printf("inkstone %s\nkernels: %s%s%s\n", INKSTONE_VERSION, ink_isa_name(cpu->isa),
         cpu->vnni ? " vnni" : "", cpu->bf16 ? " bf16" : "");
  return INK_EXIT_DONE;
}

const ink_command ink_command_version = {
    .name = "version",
    .summary = "Print the version and the kernels in use",
    .usage = "version",
    .examples = "inkstone version\n",
    .run = run,
};
