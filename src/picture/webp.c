// WebP (RFC 9649) through libwebp.
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include "base/bytes.h"
#include "picture/exif.h"
#include "picture/formats.h"

// ---- reading ------------------------------------------------------------------------------------

static ink_status read_chunks(const ink_picture_input *input, ink_picture_extras *extras,
                              int *orientation, ink_error *error) {
  WebPData data = {input->bytes, input->size};
  WebPDemuxer *demuxer = WebPDemux(&data);
  if (!demuxer) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: not a sound WebP: its chunks are not in order",
                    input->name);
  }
  ink_status status = INK_OK;
  WebPChunkIterator chunk;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
    const unsigned char *bytes = chunk.chunk.bytes;
    size_t size = chunk.chunk.size;
    // Some writers keep JPEG's header.
    size_t skip = size > 6 && memcmp(bytes, "Exif\0", 6) == 0 ? 6 : 0;
    status = ink_exif_read(bytes + skip, size - skip, extras, orientation, error);
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  if (status == INK_OK && WebPDemuxGetChunk(demuxer, "ICCP", 1, &chunk)) {
    status = ink_picture_icc_found(extras, chunk.chunk.bytes, chunk.chunk.size, error);
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  if (status == INK_OK && WebPDemuxGetChunk(demuxer, "XMP ", 1, &chunk)) {
    status = ink_picture_xmp_found(extras, chunk.chunk.bytes, chunk.chunk.size, error);
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  WebPDemuxDelete(demuxer);
  return status;
}

ink_status ink_webp_read(const ink_picture_input *input, ink_picture *picture,
                         ink_picture_extras *extras, int *orientation, ink_error *error) {
  WebPBitstreamFeatures features;
  // What lies behind the container is no part of the picture; libwebp would read on into it.
  size_t whole = input->size;
  if (whole >= 12) {
    size_t stated = (size_t)ink_little32((const unsigned char *)input->bytes + 4) + 8;
    if (stated < whole) whole = stated;
  }
  if (WebPGetFeatures(input->bytes, whole, &features) != VP8_STATUS_OK) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: not a sound WebP: its header is not in order",
                    input->name);
  }
  if (features.has_animation) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: an animation; give a still picture",
                    input->name);
  }
  INK_TRY(ink_picture_within(input, (uint64_t)features.width, (uint64_t)features.height, error));
  INK_TRY(
      ink_picture_new(features.width, features.height, features.has_alpha ? 4 : 3, picture, error));
  int row = (int)ink_picture_row(picture);
  size_t size = ink_picture_bytes(picture);
  const uint8_t *done = features.has_alpha
                            ? WebPDecodeRGBAInto(input->bytes, whole, picture->pixels, size, row)
                            : WebPDecodeRGBInto(input->bytes, whole, picture->pixels, size, row);
  if (!done) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: not a sound WebP, or one that ends early",
                    input->name);
  }
  return read_chunks(input, extras, orientation, error);
}

// ---- writing ------------------------------------------------------------------------------------

static ink_status encode(const ink_picture *p, const ink_picture_encoding *encoding,
                         WebPMemoryWriter *bytes, ink_error *error) {
  WebPConfig config;
  WebPPicture webp;
  if (!WebPConfigInit(&config) || !WebPPictureInit(&webp)) {
    return ink_fail(error, INK_ERR_INTERNAL, "libwebp is of another version than at build time");
  }
  config.quality = (float)encoding->quality;
  config.method = 4;
  if (encoding->lossless) {
    config.lossless = 1;
    config.exact = 1;  // colours below full transparency too
    config.quality = 75;
  }
  webp.use_argb = encoding->lossless;
  webp.width = p->width;
  webp.height = p->height;
  webp.writer = WebPMemoryWrite;
  webp.custom_ptr = bytes;
  int row = (int)ink_picture_row(p);
  bool done = (p->channels == 4 ? WebPPictureImportRGBA(&webp, p->pixels, row)
                                : WebPPictureImportRGB(&webp, p->pixels, row)) &&
              WebPEncode(&config, &webp);
  WebPEncodingError code = webp.error_code;
  WebPPictureFree(&webp);
  if (done) return INK_OK;
  return ink_fail(error, code == VP8_ENC_ERROR_OUT_OF_MEMORY ? INK_ERR_MEMORY : INK_ERR_INTERNAL,
                  "a WebP could not be written (libwebp's error %d)", (int)code);
}

// Put the still picture, notes and profile together.
static ink_status assemble(const WebPMemoryWriter *bytes, const ink_picture_extras *extras,
                           const ink_text *exif, ink_text *out, ink_error *error) {
  WebPMux *mux = WebPMuxNew();
  WebPData image = {bytes->mem, bytes->size}, whole = {0};
  WebPData notes = {(const uint8_t *)exif->bytes, exif->size};
  bool fine = mux && WebPMuxSetImage(mux, &image, 0) == WEBP_MUX_OK;
  if (fine && exif->size) fine = WebPMuxSetChunk(mux, "EXIF", &notes, 0) == WEBP_MUX_OK;
  if (fine && extras && extras->icc_size) {
    WebPData icc = {extras->icc, extras->icc_size};
    fine = WebPMuxSetChunk(mux, "ICCP", &icc, 0) == WEBP_MUX_OK;
  }
  if (fine && extras && extras->xmp) {
    WebPData xmp = {(const uint8_t *)extras->xmp, strlen(extras->xmp)};
    fine = WebPMuxSetChunk(mux, "XMP ", &xmp, 0) == WEBP_MUX_OK;
  }
  fine = fine && WebPMuxAssemble(mux, &whole) == WEBP_MUX_OK;
  if (fine) ink_text_add_bytes(out, whole.bytes, whole.size);
  WebPDataClear(&whole);
  WebPMuxDelete(mux);
  if (!fine) return ink_fail(error, INK_ERR_MEMORY, "no memory to put a WebP together");
  return ink_text_status(out, error);
}

ink_status ink_webp_write(const ink_picture *picture, const ink_picture_encoding *encoding,
                          ink_text *out, ink_error *error) {
  if (picture->width > WEBP_MAX_DIMENSION || picture->height > WEBP_MAX_DIMENSION) {
    return ink_fail(error, INK_ERR_USAGE, "a WebP side ends at %d pixels; choose PNG",
                    WEBP_MAX_DIMENSION);
  }
  ink_picture colour = {0};
  const ink_picture *p = picture;
  if (picture->channels < 3) {
    INK_TRY(ink_picture_convert(picture, picture->channels + 2, &colour, error));
    p = &colour;
  }
  WebPMemoryWriter bytes;
  WebPMemoryWriterInit(&bytes);
  ink_text exif = {0};
  ink_status status = ink_exif_write(encoding->extras, &exif, error);
  if (status == INK_OK) status = encode(p, encoding, &bytes, error);
  if (status == INK_OK) status = assemble(&bytes, encoding->extras, &exif, out, error);
  WebPMemoryWriterClear(&bytes);
  ink_text_free(&exif);
  ink_picture_free(&colour);
  return status;
}
