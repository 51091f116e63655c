/* Loads a SavedModel and runs it, without Python: by the loader that TensorFlow Serving uses.

     run_saved_model SAVED_MODEL < PLAN

   The plan is text, a line for everything to do:

     input OPERATION INDEX TYPE FILE RANK SIZE...   feeds what is in the file
     output OPERATION INDEX FILE                    writes what comes out
     run                                            runs the session with these, and forgets them

   TYPE is a number of TF_DataType. Numbers lie in a file as in memory; strings one after the other,
   each behind its length in four bytes, lowest first. For every `run` there is a line in the
   answer: `code 0`, or the code of the error and its message; behind a good one `TYPE RANK SIZE...`
   of each output. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

enum { kMost = 16, kMostAxes = 8, kMostText = 1024 };

typedef struct {
  TF_Output ports[kMost];
  TF_Tensor* tensors[kMost];
  char files[kMost][kMostText];
  int count;
} Ends;

static void Fail(const char* what, const char* about) {
  fprintf(stderr, "%s: %s\n", what, about);
  exit(1);
}

static void Check(const TF_Status* status, const char* about) {
  if (TF_GetCode(status) != TF_OK) Fail(about, TF_Message(status));
}

static char* ReadFile(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) Fail("cannot read", path);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char* data = malloc(*size + 1);
  if (data == NULL || fread(data, 1, *size, file) != *size) Fail("cannot read", path);
  fclose(file);
  return data;
}

static TF_Tensor* ReadTensor(TF_DataType type, const char* path, const int64_t* sizes, int rank) {
  int64_t count = 1;
  for (int axis = 0; axis < rank; ++axis) count *= sizes[axis];
  const size_t width = type == TF_STRING ? sizeof(TF_TString) : TF_DataTypeSize(type);
  TF_Tensor* tensor = TF_AllocateTensor(type, sizes, rank, (size_t)count * width);
  size_t size = 0;
  char* data = ReadFile(path, &size);
  if (type != TF_STRING) {
    if (size != (size_t)count * width) Fail("has not the size of the tensor", path);
    memcpy(TF_TensorData(tensor), data, size);
  } else {
    TF_TString* strings = TF_TensorData(tensor);
    const unsigned char* next = (const unsigned char*)data;
    for (int64_t i = 0; i < count; ++i) {
      const size_t length = next[0] | next[1] << 8 | next[2] << 16 | (size_t)next[3] << 24;
      TF_TString_Init(&strings[i]);
      TF_TString_Copy(&strings[i], (const char*)next + 4, length);
      next += 4 + length;
    }
    if ((size_t)(next - (const unsigned char*)data) != size) Fail("has not as many strings", path);
  }
  free(data);
  return tensor;
}

static void WriteTensor(const TF_Tensor* tensor, const char* path) {
  FILE* file = fopen(path, "wb");
  if (file == NULL) Fail("cannot write", path);
  if (TF_TensorType(tensor) == TF_STRING) {
    const TF_TString* strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < TF_TensorElementCount(tensor); ++i) {
      const size_t length = TF_TString_GetSize(&strings[i]);
      for (int byte = 0; byte < 4; ++byte) fputc((int)(length >> 8 * byte & 0xFF), file);
      fwrite(TF_TString_GetDataPointer(&strings[i]), 1, length, file);
    }
  } else {
    fwrite(TF_TensorData(tensor), 1, TF_TensorByteSize(tensor), file);
  }
  if (fclose(file) != 0) Fail("cannot write", path);
  printf(" %d %d", (int)TF_TensorType(tensor), TF_NumDims(tensor));
  for (int axis = 0; axis < TF_NumDims(tensor); ++axis) {
    printf(" %lld", (long long)TF_Dim(tensor, axis));
  }
}

static TF_Output FindPort(TF_Graph* graph, const char* operation, int index) {
  TF_Output port = {TF_GraphOperationByName(graph, operation), index};
  if (port.oper == NULL) Fail("the graph has no operation", operation);
  return port;
}

static void AddInput(Ends* inputs, TF_Graph* graph) {
  char operation[kMostText];
  int64_t sizes[kMostAxes];
  int index, type, rank;
  if (inputs->count == kMost ||
      scanf("%1023s %d %d %1023s %d", operation, &index, &type, inputs->files[inputs->count],
            &rank) != 5 ||
      rank > kMostAxes) {
    Fail("not understood", "input");
  }
  for (int axis = 0; axis < rank; ++axis) {
    long long size;
    if (scanf("%lld", &size) != 1) Fail("not understood", "the sizes of an input");
    sizes[axis] = size;
  }
  inputs->ports[inputs->count] = FindPort(graph, operation, index);
  inputs->tensors[inputs->count] =
      ReadTensor((TF_DataType)type, inputs->files[inputs->count], sizes, rank);
  ++inputs->count;
}

static void AddOutput(Ends* outputs, TF_Graph* graph) {
  char operation[kMostText];
  int index;
  if (outputs->count == kMost ||
      scanf("%1023s %d %1023s", operation, &index, outputs->files[outputs->count]) != 3) {
    Fail("not understood", "output");
  }
  outputs->ports[outputs->count++] = FindPort(graph, operation, index);
}

static void Run(TF_Session* session, Ends* inputs, Ends* outputs) {
  TF_Status* status = TF_NewStatus();
  TF_SessionRun(session, NULL, inputs->ports, inputs->tensors, inputs->count, outputs->ports,
                outputs->tensors, outputs->count, NULL, 0, NULL, status);
  printf("code %d", (int)TF_GetCode(status));
  if (TF_GetCode(status) == TF_OK) {
    for (int i = 0; i < outputs->count; ++i) {
      WriteTensor(outputs->tensors[i], outputs->files[i]);
      TF_DeleteTensor(outputs->tensors[i]);
    }
  } else {
    /* The sentence stands in the first line; what follows tells the place in the graph. */
    printf(" %.*s", (int)strcspn(TF_Message(status), "\n"), TF_Message(status));
  }
  printf("\n");
  for (int i = 0; i < inputs->count; ++i) TF_DeleteTensor(inputs->tensors[i]);
  inputs->count = outputs->count = 0;
  TF_DeleteStatus(status);
}

int main(int argc, char** argv) {
  if (argc != 2) Fail("usage", "run_saved_model SAVED_MODEL < PLAN");
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* const tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL,
                                                     status);
  Check(status, argv[1]);

  static Ends inputs, outputs;
  char word[16];
  while (scanf("%15s", word) == 1) {
    if (strcmp(word, "input") == 0) {
      AddInput(&inputs, graph);
    } else if (strcmp(word, "output") == 0) {
      AddOutput(&outputs, graph);
    } else if (strcmp(word, "run") == 0) {
      Run(session, &inputs, &outputs);
    } else {
      Fail("not understood", word);
    }
  }

  TF_CloseSession(session, status);
  Check(status, "closing the session");
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
