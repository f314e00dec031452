"""Writes the descriptors inside the public LittleHorse client to standard output, as a FileDescriptorSet."""

import importlib
import pkgutil
import sys

import littlehorse.model
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

files = {}
for module in pkgutil.iter_modules(littlehorse.model.__path__):
    if module.name.endswith("_pb2"):
        descriptor = importlib.import_module(f"littlehorse.model.{module.name}").DESCRIPTOR
        files[descriptor.name] = FileDescriptorProto.FromString(descriptor.serialized_pb)

sys.stdout.buffer.write(FileDescriptorSet(file=files.values()).SerializeToString())
