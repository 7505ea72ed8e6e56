// inkstone version: what this build is and which kernels it uses here.
#include <stdio.h>

#include "cli/cli.h"
#include "tensor/isa.h"

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  int n;
  bool done;
  INK_TRY(ink_options_read(self, NULL, 0, argc, argv, &n, &done, error));
  if (done) return INK_OK;
  if (n > 0) {
    return ink_fail(error, INK_ERR_USAGE, "version takes no argument, but \"%s\" was given",
                    argv[1]);
  }
  const ink_cpu *cpu = ink_cpu_about();
  printf("inkstone %s\nkernels: %s%s%s\n", INKSTONE_VERSION, ink_isa_name(cpu->isa),
         cpu->vnni ? " vnni" : "", cpu->bf16 ? " bf16" : "");
  return INK_OK;
}

const ink_command ink_command_version = {
    .name = "version",
    .summary = "Print the version and the kernels in use",
    .usage = "version",
    .examples = "inkstone version\n",
    .run = run,
};
