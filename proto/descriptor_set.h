/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole contract as a serialized google.protobuf.FileDescriptorSet, imports included: for reflection and for checks.
 *
 * Threading: immutable.
 */
#ifndef PROTO_DESCRIPTOR_SET_H
#define PROTO_DESCRIPTOR_SET_H

extern const unsigned char xqueue_descriptor_set[];
extern const unsigned long xqueue_descriptor_set_size;

#endif
